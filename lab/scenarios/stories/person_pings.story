# A person's pings are answered, by the relay at first and directly after some.
site home nat ei/apd
site work nat ei/apd
site hotel only443
node a in home
node b in work
node c in hotel
at 10s ping a b
at 11s ping a b
at 12s ping a b
at 20s ping c a
until 40s
