# Row: in_op, over lists of constants: with strings, numbers, booleans, entities, and of mixed types.

actor User {}
resource Ball {}

declare has_size(Ball, Integer);

small(x: Integer) if x in [1, 2, 3, 2];
named(x: String) if x in ["a"];
mixed(x: Integer) if x in [1, "1", true];
favourite(ball: Ball) if ball in [Ball{"red"}, Ball{"blue"}];

allow(_: User, action: String, ball: Ball) if favourite(ball) and action in ["kick", "throw"];
allow(user: User, "keep", ball: Ball) if
  has_size(ball, size) and small(size) and not user in [User{"thief"}, User{"dog"}];

test "membership produces the values" {
  assert small(x: Integer) iff x = 1 or x = 2 or x = 3;
  assert named(x: String) iff x = "a";
  assert mixed(x: Integer) iff x = 1;
  assert allow(User{"u"}, action: String, Ball{"red"}) iff action in ["throw", "kick"];
  assert allow(User{"u"}, "kick", Ball{"blue"});
  assert allow(User{"u"}, "throw", Ball{"red"});
  assert_not allow(User{"u"}, "kick", Ball{"green"});
}

test "membership of a known value" {
  setup { has_size(Ball{"green"}, 2); has_size(Ball{"huge"}, 4); }
  assert allow(User{"u"}, "keep", Ball{"green"});
  assert_not allow(User{"u"}, "keep", Ball{"huge"});
  assert_not allow(User{"thief"}, "keep", Ball{"green"});
  assert_not allow(User{"dog"}, "keep", Ball{"green"});
}
