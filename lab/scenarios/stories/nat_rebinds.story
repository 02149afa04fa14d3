# A NAT gives its mappings other ports while a transfer runs, and restarts later.
site home nat ei/apd
site work nat ei/apd
node a in home
node b in work
at 10s talk a b for 110s
at 12s transfer a b 3500000
at 30s rebind work
at 35s expect flows a b
at 60s reboot work
at 65s expect flows a b
at 119s expect direct a b
at 119s expect stall a b 3s
until 120s
