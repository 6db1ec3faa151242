# Row: and_or_warning. Without parentheses `not` binds tighter than `and`, `and` tighter than `or`.
# Mixing them is no mistake here, so there is no warning.

actor User {}
resource Lamp {}

allow(u: User, "first", l: Lamp) if a(u, l) or b(u, l) and c(u, l);
allow(u: User, "second", l: Lamp) if (a(u, l) or b(u, l)) and c(u, l);
allow(u: User, "third", l: Lamp) if d(u, l) and not a(u, l) and b(u, l) or c(u, l);
allow(u: User, "fourth", l: Lamp) if d(u, l) and not (a(u, l) and b(u, l) or c(u, l));

test "only a" {
  setup { a(User{"u"}, Lamp{"l"}); d(User{"u"}, Lamp{"l"}); }
  assert allow(User{"u"}, "first", Lamp{"l"});
  assert_not allow(User{"u"}, "second", Lamp{"l"});
  assert_not allow(User{"u"}, "third", Lamp{"l"});
  assert allow(User{"u"}, "fourth", Lamp{"l"});
}

test "a and c" {
  setup { a(User{"u"}, Lamp{"l"}); c(User{"u"}, Lamp{"l"}); d(User{"u"}, Lamp{"l"}); }
  assert allow(User{"u"}, "first", Lamp{"l"});
  assert allow(User{"u"}, "second", Lamp{"l"});
  assert allow(User{"u"}, "third", Lamp{"l"});
  assert_not allow(User{"u"}, "fourth", Lamp{"l"});
}

test "only b" {
  setup { b(User{"u"}, Lamp{"l"}); d(User{"u"}, Lamp{"l"}); }
  assert_not allow(User{"u"}, "first", Lamp{"l"});
  assert allow(User{"u"}, "third", Lamp{"l"});
  assert allow(User{"u"}, "fourth", Lamp{"l"});
}

test "a and b" {
  setup { a(User{"u"}, Lamp{"l"}); b(User{"u"}, Lamp{"l"}); d(User{"u"}, Lamp{"l"}); }
  assert_not allow(User{"u"}, "third", Lamp{"l"});
  assert_not allow(User{"u"}, "fourth", Lamp{"l"});
}
