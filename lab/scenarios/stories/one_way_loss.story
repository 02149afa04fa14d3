# Three in ten datagrams are lost in one direction: traffic flows.
site home nat ei/apd
site work nat ei/apd
node a in home
node b in work
at 10s talk a b for 80s every 50ms
at 15s expect direct a b
at 20s loss a in 300
at 25s transfer b a 500000
at 50s expect flows a b
at 50s expect flows b a
at 89s expect flows b a
until 90s
