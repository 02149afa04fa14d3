# One leg carries no IP packet above 1280 bytes and says nothing about it: our full packets (1280 inside, 1340 outside)
# vanish there and must find another way.
site home nat ei/apd
site work nat ei/apd
node a in home
node b in work
at 5s mtu a 1280
at 10s talk a b for 80s every 200ms size 1200
at 10s talk a b for 80s every 500ms size 100
at 40s expect flows a b
at 40s expect flows b a
at 60s transfer a b 500000
at 89s expect flows a b
until 90s
