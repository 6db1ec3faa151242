# Row: jealous. Two conditions share a variable that is not in the head.

actor Cat {}

adores(Cat{"tom"}, Cat{"kitty"});
adores(Cat{"max"}, Cat{"kitty"});
adores(Cat{"ida"}, Cat{"tom"});

is_rival(a: Cat, b: Cat) if adores(a, x) and adores(b, x) and a != b;
allow(a: Cat, "hiss_at", b: Cat) if is_rival(a, b);

test "rivals adore the same" {
  assert allow(Cat{"tom"}, "hiss_at", Cat{"max"});
  assert allow(Cat{"max"}, "hiss_at", Cat{"tom"});
  assert_not allow(Cat{"tom"}, "hiss_at", Cat{"tom"});
  assert_not allow(Cat{"ida"}, "hiss_at", Cat{"max"});
  assert adores(Cat{"ida"}, x: Cat) iff x = Cat{"tom"};
  assert is_rival(a: Cat, b: Cat)
    iff (a = Cat{"tom"} and b = Cat{"max"}) or (a = Cat{"max"} and b = Cat{"tom"});
}
