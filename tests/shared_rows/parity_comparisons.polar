# Row: parity, comparisons. Two facts of one entity are compared with each other and with the time.

actor Bidder {}
resource Lot {}

outbids(bidder: Bidder, lot: Lot) if
  bid(bidder, lot, mine) and lowest(lot, least) and mine >= least and
  not (other matches Bidder and bid(other, lot, theirs) and theirs > mine);

allow(bidder: Bidder, "win", lot: Lot) if outbids(bidder, lot);
allow(_: Bidder, "bid", lot: Lot) if closes_at(lot, end) and end > @current_unix_time;

test "the highest bid wins, if it is high enough" {
  setup {
    lowest(Lot{"vase"}, 100);
    bid(Bidder{"a"}, Lot{"vase"}, 99);
    bid(Bidder{"b"}, Lot{"vase"}, 1000);
    bid(Bidder{"c"}, Lot{"vase"}, 1000);
    lowest(Lot{"chair"}, 50);
    bid(Bidder{"a"}, Lot{"chair"}, 49);
  }
  assert allow(bidder: Bidder, "win", Lot{"vase"}) iff bidder in [Bidder{"b"}, Bidder{"c"}];
  assert allow(Bidder{"b"}, "win", Lot{"vase"});
  assert_not allow(Bidder{"a"}, "win", Lot{"vase"});
  assert_not allow(Bidder{"a"}, "win", Lot{"chair"});
}

test "until the end" {
  setup { closes_at(Lot{"late"}, 4000000000); closes_at(Lot{"over"}, 1000000000); }
  assert allow(Bidder{"a"}, "bid", Lot{"late"});
  assert_not allow(Bidder{"a"}, "bid", Lot{"over"});
  assert_not allow(Bidder{"a"}, "bid", Lot{"undated"});
}
