# Row: parity, defining_things. Facts in the policy, of one and more arguments, and rules over them.

actor Whale {}
resource Ocean {}

is_blue(Whale{"big"});
is_blue(Whale{"old"});
lives_in(Whale{"big"}, Ocean{"atlantic"});
lives_in(Whale{"old"}, Ocean{"pacific"});
depth(Ocean{"atlantic"}, "deep", 8376);

allow(whale: Whale, "swim", ocean: Ocean) if is_blue(whale) and lives_in(whale, ocean);
allow(_: Whale, "dive", ocean: Ocean) if depth(ocean, "deep", metres) and metres > 8000;

test "defined in the policy" {
  assert is_blue(whale: Whale) iff whale in [Whale{"big"}, Whale{"old"}];
  assert lives_in(whale: Whale, Ocean{"pacific"}) iff whale = Whale{"old"};
  assert depth(Ocean{"atlantic"}, how: String, metres: Integer) iff how = "deep" and metres = 8376;
  assert allow(Whale{"big"}, "swim", Ocean{"atlantic"});
  assert allow(Whale{"old"}, "swim", Ocean{"pacific"});
  assert_not allow(Whale{"big"}, "swim", Ocean{"pacific"});
  assert allow(Whale{"tiny"}, "dive", Ocean{"atlantic"});
  assert_not allow(Whale{"tiny"}, "dive", Ocean{"pacific"});
}
