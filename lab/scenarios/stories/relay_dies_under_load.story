# Two hard NATs: only a relay carries. Theirs dies while a transfer runs; another region is there.
site home nat apd/apd
site work nat apd/apd
node a in home
node b in work
at 10s talk a b for 80s every 50ms
at 12s transfer a b 3500000
at 25s relay 1 down
at 45s expect flows a b
at 50s relay 1 up
at 55s relay 2 down
at 80s expect flows a b
at 89s expect stall a b 5s
until 90s
