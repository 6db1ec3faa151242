# Row: comparisons, on integers: between two variables, with a literal, at the limits, negative ones.

actor Rider {}
resource Coaster {}

allow(r: Rider, "less", c: Coaster) if height(r, x) and limit(c, y) and x < y;
allow(r: Rider, "at_most", c: Coaster) if height(r, x) and limit(c, y) and x <= y;
allow(r: Rider, "more", c: Coaster) if height(r, x) and limit(c, y) and x > y;
allow(r: Rider, "at_least", c: Coaster) if height(r, x) and limit(c, y) and x >= y;
allow(r: Rider, "other", c: Coaster) if height(r, x) and limit(c, y) and x != y;
allow(r: Rider, "equal", c: Coaster) if height(r, x) and limit(c, y) and x = y;

is_teen(r: Rider) if age(r, years) and 13 <= years and years < 20;

test "9, 10 and 100 against 10: as numbers, not as text" {
  setup {
    height(Rider{"nine"}, 9);
    height(Rider{"ten"}, 10);
    height(Rider{"hundred"}, 100);
    limit(Coaster{"c"}, 10);
  }
  assert allow(Rider{"nine"}, action: String, Coaster{"c"}) iff action in ["less", "at_most", "other"];
  assert allow(Rider{"ten"}, action: String, Coaster{"c"})
    iff action in ["at_most", "at_least", "equal"];
  assert allow(Rider{"hundred"}, action: String, Coaster{"c"})
    iff action in ["more", "at_least", "other"];

  assert allow(Rider{"nine"}, "less", Coaster{"c"});
  assert_not allow(Rider{"ten"}, "less", Coaster{"c"});
  assert_not allow(Rider{"hundred"}, "less", Coaster{"c"});
  assert allow(Rider{"ten"}, "at_most", Coaster{"c"});
  assert_not allow(Rider{"hundred"}, "at_most", Coaster{"c"});
  assert allow(Rider{"hundred"}, "more", Coaster{"c"});
  assert_not allow(Rider{"ten"}, "more", Coaster{"c"});
  assert allow(Rider{"ten"}, "at_least", Coaster{"c"});
  assert_not allow(Rider{"nine"}, "at_least", Coaster{"c"});
  assert allow(Rider{"nine"}, "other", Coaster{"c"});
  assert_not allow(Rider{"ten"}, "other", Coaster{"c"});
  assert allow(Rider{"ten"}, "equal", Coaster{"c"});
  assert_not allow(Rider{"nine"}, "equal", Coaster{"c"});
}

test "negative numbers and the largest" {
  setup {
    height(Rider{"low"}, -3);
    height(Rider{"top"}, 9223372036854775807);
    limit(Coaster{"pit"}, -2);
    limit(Coaster{"sky"}, 9223372036854775806);
  }
  assert allow(Rider{"low"}, "less", Coaster{"pit"});
  assert_not allow(Rider{"low"}, "more", Coaster{"pit"});
  assert allow(Rider{"top"}, "more", Coaster{"sky"});
  assert_not allow(Rider{"top"}, "equal", Coaster{"sky"});
}

test "between two literals" {
  setup { age(Rider{"a"}, 12); age(Rider{"b"}, 13); age(Rider{"c"}, 19); age(Rider{"d"}, 20); }
  assert is_teen(r: Rider) iff r in [Rider{"b"}, Rider{"c"}];
}
