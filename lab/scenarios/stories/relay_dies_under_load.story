# Two hard NATs: only a relay carries. Theirs dies while a transfer runs; another region is there.
site home nat apd/apd
site work nat apd/apd
node a in home
node b in work
at 10s talk a b for 70s every 50ms
at 12s transfer a b 3000000
at 25s relay 2 down
at 30s expect flows a b
at 79s expect stall a b 3200ms
until 80s
