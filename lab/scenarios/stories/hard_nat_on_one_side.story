# One NAT maps each destination to another port; the other lets any port of a known address in.
site home nat apd/apd ports random
site work nat ei/ad
node a in home
node b in work
at 10s talk a b for 50s
at 15s expect direct a b
at 59s expect direct a b
until 60s
