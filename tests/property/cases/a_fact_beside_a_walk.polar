# Seed 269 (25 November 2026): once it was known what a walk reaches, the compiled engine took "some fact about the
# actor" for "a fact about the actor and what was reached", and said DENY.
actor User { permissions = ["act as"]; relations = { manager: User }; "act as" if "act as" on "manager" or "manager"; }
actor Team { relations = { part_of: Team }; }
has_permission(team: Team, "act as", _: User) if has_relation(team, "part_of", _);
test "teams that are part of others" {
  setup {
    has_relation(Team{"a"}, "part_of", Team{"b"});
    has_relation(User{"x"}, "manager", User{"y"});
    has_relation(User{"y"}, "manager", User{"z"});
  }
  assert_not allow(Team{"b"}, "act as", User{"x"});
  assert allow(Team{"a"}, "act as", User{"x"});
  assert_not allow(User{"z"}, "act as", User{"a"});
  assert allow(User{"z"}, "act as", User{"x"});
  assert_not allow(User{"x"}, "act as", User{"x"});
}
