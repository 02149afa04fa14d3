# The coordination server dies and comes back: nobody notices.
site home nat ei/apd
site work nat apd/apd
node a in home
node b in work
node c open
at 10s talk a b for 80s
at 10s talk b c for 80s
at 12s transfer a b 2000000
at 12s transfer c b 2000000
at 30s coordinator down
at 59s expect flows a b
at 59s expect direct b c
at 60s coordinator up
at 89s expect stall a b 1s
at 89s expect stall c b 1s
until 90s
