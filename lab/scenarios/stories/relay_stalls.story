# A relay takes everything and says nothing.
site home nat apd/apd
site work nat apd/apd
node a in home
node b in work
at 10s talk a b for 110s every 200ms
at 30s relay 1 stall
at 85s expect flows a b
at 85s expect flows b a
until 120s
