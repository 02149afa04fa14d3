# A box drops path discovery and lets sealed packets pass: traffic flows, whichever way.
site home nat ei/apd
site work nat ei/apd
node a in home
node b in work
at 10s talk a b for 80s every 100ms
at 15s expect direct a b
at 20s transfer a b 2000000
at 30s block a disco
at 40s expect flows a b
at 40s expect flows b a
at 89s expect flows a b
at 89s expect stall a b 3s
until 90s
