# Two nodes in one home use the local network, one elsewhere does not disturb them.
site home nat ei/apd
node a in home
node b in home
node c open
at 10s talk a b for 20s every 250ms
at 11s expect direct a b
at 29s expect direct a b
until 30s
