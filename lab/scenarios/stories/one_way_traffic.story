# Only one says something: it becomes direct too.
site home nat ei/apd
site work nat ei/apd
node a in home
node b in work
at 10s tell a b for 50s every 250ms
at 40s expect direct a b
until 60s
