# A laptop sleeps for ten seconds while a transfer runs, and goes on when it wakes.
site home nat ei/apd
site work nat ei/apd
node a in home
node b in work
at 10s talk a b for 80s
at 12s transfer a b 2000000
at 30s sleep b
at 40s wake b
at 43s expect flows a b
at 50s expect direct a b
until 90s
