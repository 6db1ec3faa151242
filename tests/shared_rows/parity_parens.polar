# Row: parity, parens. Parentheses group conditions, however many there are.

actor User {}
resource Cake {}

allow(u: User, "eat", c: Cake) if (((baked(u, c))));
allow(u: User, "share", c: Cake) if (baked(u, c) or bought(u, c)) and (is_big(c) or is_sweet(c));
allow(u: User, "sell", c: Cake) if baked(u, c) and (is_big(c) or (bought(u, c) and is_sweet(c)));

test "groups" {
  setup {
    baked(User{"u"}, Cake{"big"});
    is_big(Cake{"big"});
    bought(User{"u"}, Cake{"sweet"});
    is_sweet(Cake{"sweet"});
    baked(User{"u"}, Cake{"plain"});
  }
  assert allow(User{"u"}, "eat", Cake{"plain"});
  assert_not allow(User{"u"}, "eat", Cake{"sweet"});
  assert allow(User{"u"}, "share", Cake{"big"});
  assert allow(User{"u"}, "share", Cake{"sweet"});
  assert_not allow(User{"u"}, "share", Cake{"plain"});
  assert allow(User{"u"}, "sell", Cake{"big"});
  assert_not allow(User{"u"}, "sell", Cake{"sweet"});
}

test "the inner group" {
  setup {
    baked(User{"u"}, Cake{"c"});
    bought(User{"u"}, Cake{"c"});
    is_sweet(Cake{"c"});
  }
  assert allow(User{"u"}, "sell", Cake{"c"});
}
