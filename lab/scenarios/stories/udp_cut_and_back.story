# UDP is cut, the relay takes over; UDP comes back, and so does the direct path.
site home nat ei/apd
site work nat ei/apd
node a in home
node b in work
at 10s talk a b for 200s every 250ms
at 20s expect direct a b
at 30s block b udp
at 40s expect relayed a b
at 40s expect flows a b
at 40s expect flows b a
at 100s block b nothing
at 190s expect direct a b
until 210s
