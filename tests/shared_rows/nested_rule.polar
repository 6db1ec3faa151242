# Row: nested_rule. A rule over rules over facts; a rule in the middle has two ways to hold.

actor Diver {}
resource Wreck {}

is_trained(diver: Diver) if is_certified(diver);
is_certified(diver: Diver) if holds(diver, "paper");
is_trained(diver: Diver) if is_instructor(diver);
allow(diver: Diver, "explore", wreck: Wreck) if is_trained(diver) and is_open(wreck);

test "three levels down, or one" {
  setup {
    holds(Diver{"p"}, "paper");
    is_instructor(Diver{"i"});
    is_open(Wreck{"w"});
  }
  assert allow(diver: Diver, "explore", Wreck{"w"}) iff diver in [Diver{"p"}, Diver{"i"}];
  assert allow(Diver{"p"}, "explore", Wreck{"w"});
  assert allow(Diver{"i"}, "explore", Wreck{"w"});
  assert_not allow(Diver{"q"}, "explore", Wreck{"w"});
  assert_not allow(Diver{"p"}, "explore", Wreck{"closed"});
}
