# Rows: anonymous_vars, singleton_vars. `_` is a new variable at each place; a name that begins with `_` is one
# variable, and says that it is meant to be used once.

actor Agent {}
resource File {}

declare knows(Agent, String, String);
declare belongs(File, Agent);

any_two(_: Agent, _: Agent);
same_two(_a: Agent, _a: Agent);
is_linked(agent: Agent) if knows(agent, _, _);

allow(agent: Agent, "list", _: File) if is_linked(agent);
allow(agent: Agent, "open", file: File) if belongs(file, _other) and knows(agent, _, _);

test "each place a value of its own" {
  assert any_two(_: Agent, _: Agent);
  assert any_two(Agent{"a"}, Agent{"b"});
  assert same_two(x: Agent, y: Agent) iff x = y;
}

test "anything will do" {
  setup { knows(Agent{"a"}, "x", "y"); knows(Agent{"b"}, "z", "z"); belongs(File{"f"}, Agent{"c"}); }
  assert allow(agent: Agent, "list", File{"unheard-of"}) iff agent in [Agent{"a"}, Agent{"b"}];
  assert allow(Agent{"a"}, "list", File{"f"});
  assert allow(Agent{"b"}, "open", File{"f"});
  assert_not allow(Agent{"c"}, "list", File{"f"});
  assert_not allow(Agent{"a"}, "open", File{"g"});
}
