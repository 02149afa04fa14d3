# A node's process is killed and starts again with a new path discovery key.
site home nat ei/apd
site work nat ei/apd
node a in home
node b in work
at 10s talk a b for 60s every 250ms
at 20s kill b
at 21s start b
at 30s expect flows a b
at 35s expect direct a b
until 70s
