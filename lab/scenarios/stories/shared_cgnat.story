# Two homes behind one carrier's NAT, and a third elsewhere.
site carrier nat ei/apd hairpin life 60s
site home nat ei/apd in carrier
site flat nat ei/apd in carrier
site work nat ei/apd
node a in home
node b in flat
node c in work
at 10s talk a b for 50s
at 10s talk a c for 50s
at 10s talk b c for 50s
at 20s expect direct a c
at 20s expect direct b c
at 59s expect flows a b
until 60s
