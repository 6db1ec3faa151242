test fixture shop {
  has_relation(Order{"boots"}, "buyer", User{"carla"});
  has_relation(Order{"lamp"}, "buyer", User{"dan"});
  has_role(User{"sue"}, "supporter");
}

test "buyers see to their own orders" {
  setup { fixture shop; }

  assert allow(User{"carla"}, action: String, Order{"boots"}) iff action in ["read", "cancel", "pay"];
  assert allow(User{"carla"}, "pay", Order{"boots"});
  assert_not allow(User{"carla"}, "read", Order{"lamp"});
  assert_not allow(User{"sue"}, "read", Order{"boots"});
}

test "profiles are for oneself and for supporters" {
  setup { fixture shop; }

  assert allow(user: User, "read_profile", User{"carla"}) iff user in [User{"carla"}, User{"sue"}];
  assert_not allow(User{"dan"}, "read_profile", User{"carla"});
  # Also somebody who has just signed up, and whom no fact mentions.
  assert allow(User{"new"}, "read_profile", User{"new"});
}

test "only supporters may impersonate" {
  setup { fixture shop; }

  assert allow(user: User, "impersonate", User{"carla"}) iff user = User{"sue"};
  assert allow(User{"sue"}, "impersonate", User{"carla"});
  assert_not allow(User{"carla"}, "impersonate", User{"dan"});
  assert_not allow(User{"carla"}, "impersonate", User{"carla"});
}

test "a supporter in somebody's shoes may what is harmless" {
  setup { fixture shop; is_impersonating(User{"sue"}, User{"carla"}); }

  assert allow(User{"sue"}, action: String, Order{"boots"}) iff action in ["read", "cancel"];
  assert allow(User{"sue"}, "cancel", Order{"boots"});
  assert allow(User{"sue"}, "read", Order{"boots"});
  assert_not allow(User{"sue"}, "pay", Order{"boots"});
  # The other customer's order stays closed.
  assert_not allow(User{"sue"}, "read", Order{"lamp"});
}

test "the session alone is not enough" {
  setup { fixture shop; is_impersonating(User{"dan"}, User{"carla"}); }

  assert_not allow(User{"dan"}, "read", Order{"boots"});
  assert allow(User{"dan"}, "read", Order{"lamp"});
}

test "impersonation has no second step" {
  setup {
    fixture shop;
    has_role(User{"sid"}, "supporter");
    is_impersonating(User{"sid"}, User{"sue"});
    is_impersonating(User{"sue"}, User{"carla"});
  }

  # Sue is in Carla's shoes, and Sid in Sue's: he gets what Sue has by herself.
  assert_not allow(User{"sid"}, "read", Order{"boots"});
  assert_not allow(User{"sid"}, "cancel", Order{"boots"});
}

test "what is harmless" {
  setup {
    fixture shop;
    has_relation(Order{"sofa"}, "buyer", User{"sue"});
    is_impersonating(User{"sue"}, User{"carla"});
  }

  assert is_harmless(action: String) iff action in ["read", "read_profile", "cancel"];
  # One's own orders are not touched by it.
  assert allow(User{"sue"}, "pay", Order{"sofa"});
}
