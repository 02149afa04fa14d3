# A direct path does not need its relay.
site home nat ei/apd
site work nat ei/apd
node a in home
node b in work
relay 1
at 10s talk a b for 50s
at 12s transfer a b 2000000
at 20s expect direct a b
at 30s relay 1 down
at 40s expect direct a b
at 59s expect direct a b
at 59s expect stall a b 1s
until 60s
