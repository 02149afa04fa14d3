# Neighbours go on when their way to the internet is gone.
site home nat ei/apd
node a in home
node b in home
at 10s talk a b for 110s
at 12s transfer a b 3000000
at 20s expect direct a b
at 30s uplink home down
at 45s expect direct a b
at 119s expect flows a b
at 119s expect stall a b 3s
until 120s
