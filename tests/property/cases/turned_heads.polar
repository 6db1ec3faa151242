# Found by reading (25 November 2026): of two rules with the same conditions and turned heads one was taken for the
# other while relations were unfolded, so "not linked" was PERMIT.
actor User { permissions = ["see", "hide", "reach"]; }
declare knows(User, User);
linked(a: User, b: User) if knows(a, b);
linked(b: User, a: User) if knows(a, b);
near(a: User, b: User) if linked(a, b);
near(a: User, c: User) if near(a, b) and linked(b, c);
allow(u: User, "see", v: User) if linked(u, v);
allow(u: User, "hide", v: User) if not linked(u, v);
allow(u: User, "reach", v: User) if near(u, v);
test "both ways" {
  setup { knows(User{"a"}, User{"o"}); knows(User{"p"}, User{"o"}); }
  assert allow(User{"a"}, "see", User{"o"});
  assert allow(User{"o"}, "see", User{"a"});
  assert_not allow(User{"a"}, "see", User{"p"});
  assert_not allow(User{"o"}, "hide", User{"a"});
  assert_not allow(User{"a"}, "hide", User{"o"});
  assert allow(User{"a"}, "hide", User{"p"});
  assert allow(User{"a"}, "reach", User{"p"});
  assert_not allow(User{"a"}, "reach", User{"x"});
}
