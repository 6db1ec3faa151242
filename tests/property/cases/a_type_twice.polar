# Two users in one rule, and one user twice; both ends of a diamond.
actor User { permissions = ["greet", "rename"]; relations = { manager: User }; }
has_permission(user: User, "rename", user);
has_permission(one: User, "greet", other: User) if knows(one, other) and knows(other, one);
has_permission(one: User, "greet", other: User) if
  has_relation(other, "manager", left) and has_relation(other, "manager", right) and left != right and
  has_relation(left, "manager", one) and has_relation(right, "manager", one);
test "pairs" {
  setup {
    knows(User{"a"}, User{"b"}); knows(User{"b"}, User{"a"}); knows(User{"a"}, User{"c"}); knows(User{"d"}, User{"d"});
    has_relation(User{"e"}, "manager", User{"f"}); has_relation(User{"e"}, "manager", User{"g"});
    has_relation(User{"f"}, "manager", User{"h"}); has_relation(User{"g"}, "manager", User{"h"});
    has_relation(User{"f"}, "manager", User{"i"});
  }
  assert allow(User{"a"}, "rename", User{"a"});
  assert allow(User{"x"}, "rename", User{"x"});
  assert_not allow(User{"a"}, "rename", User{"b"});
  assert allow(User{"a"}, "greet", User{"b"});
  assert_not allow(User{"a"}, "greet", User{"c"});
  assert allow(User{"d"}, "greet", User{"d"});
  assert allow(User{"h"}, "greet", User{"e"});
  assert_not allow(User{"i"}, "greet", User{"e"});
}
