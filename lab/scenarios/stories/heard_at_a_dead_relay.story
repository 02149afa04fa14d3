# Seed 481: c is heard at region 1, region 1 dies, everybody moves to region 2. What c sends must follow.
relay 1
relay 2
site home nat apd/apd ports random life 30s
site office nat ei/apd ports keep life 120s
node a in home
node b in home
node c in office
at 10s tell a c for 93s every 500ms size 100
at 10s tell c a for 93s every 500ms size 100
at 27s tell b c for 76s every 200ms size 1000
at 27s tell c b for 76s every 200ms size 1000
at 32s relay 1 down
at 85s expect flows c a
at 85s expect flows c b
until 103s
