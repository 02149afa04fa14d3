# A node moves to another network while a transfer runs.
site home nat ei/apd
site work nat ei/apd
site cafe nat ei/apd ports sequential
node a in home
node b in work
at 10s talk a b for 80s
at 12s transfer a b 3000000
at 30s roam b in cafe
at 33s expect flows a b
at 40s expect direct a b
at 60s roam b open
at 70s expect direct a b
at 89s expect stall a b 3s
until 90s
