# Row: rule_index, its scalars. Many rules that differ in their literals; each question finds its own.

actor Operator {}
resource Valve {}

declare at(Valve, Integer, Integer);

code(1, 1, "x");
code(1, 1, "y");
code(1, 2, "z");
code(2, -1, "x");
code(2, 2, true);
code(2, "2", 2);
code("1", "1", "1");

allow(_: Operator, "turn", valve: Valve) if at(valve, a, b) and code(a, b, "x");
allow(Operator{"joe"}, "paint", Valve{"v1"});
allow(Operator{"joe"}, "paint", Valve{"v2"});
allow(Operator{"jim"}, "paint", Valve{"v2"});

test "by any position" {
  assert code(1, 1, c: String) iff c in ["x", "y"];
  assert code(1, b: Integer, c: String)
    iff (b = 1 and c in ["x", "y"]) or (b = 2 and c = "z");
  assert code(a: Integer, b: Integer, "x") iff (a = 1 and b = 1) or (a = 2 and b = -1);
  assert code(2, 2, c: Boolean) iff c = true;
  assert code(2, b: String, 2) iff b = "2";
  assert code("1", b: String, c: String) iff b = "1" and c = "1";
  assert_not code(1, 3, _: String);
}

test "from a rule" {
  setup { at(Valve{"a"}, 1, 1); at(Valve{"b"}, 1, 2); at(Valve{"c"}, 2, -1); }
  assert allow(Operator{"joe"}, "turn", Valve{"a"});
  assert allow(Operator{"joe"}, "turn", Valve{"c"});
  assert_not allow(Operator{"joe"}, "turn", Valve{"b"});
  assert allow(Operator{"joe"}, "paint", Valve{"v1"});
  assert allow(Operator{"joe"}, "paint", Valve{"v2"});
  assert allow(Operator{"jim"}, "paint", Valve{"v2"});
  assert allow(who: Operator, "paint", Valve{"v1"}) iff who = Operator{"joe"};
}
