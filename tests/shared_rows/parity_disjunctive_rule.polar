# Row: parity, disjunctive_rule. `or` in a body is the same as two rules.

actor User {}
resource Gate {}

opens_together(user: User, gate: Gate) if has_card(user, gate) or knows_code(user, gate);
opens_apart(user: User, gate: Gate) if has_card(user, gate);
opens_apart(user: User, gate: Gate) if knows_code(user, gate);

allow(user: User, "open", gate: Gate) if opens_together(user, gate);
allow(user: User, "unlock", gate: Gate) if opens_apart(user, gate);

test "one, the other, both, none" {
  setup {
    has_card(User{"one"}, Gate{"g"});
    knows_code(User{"other"}, Gate{"g"});
    has_card(User{"both"}, Gate{"g"});
    knows_code(User{"both"}, Gate{"g"});
  }
  assert allow(user: User, "open", Gate{"g"}) iff user in [User{"one"}, User{"other"}, User{"both"}];
  assert allow(user: User, "unlock", Gate{"g"}) iff user in [User{"one"}, User{"other"}, User{"both"}];
  assert allow(User{"one"}, "open", Gate{"g"});
  assert allow(User{"other"}, "open", Gate{"g"});
  assert allow(User{"both"}, "open", Gate{"g"});
  assert allow(User{"one"}, "unlock", Gate{"g"});
  assert allow(User{"other"}, "unlock", Gate{"g"});
  assert_not allow(User{"none"}, "open", Gate{"g"});
  assert_not allow(User{"none"}, "unlock", Gate{"g"});
}
