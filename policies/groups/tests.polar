# The district "north" has the group "harbour", which has the group "night".
test fixture groups {
  has_member(Group{"north"}, Group{"harbour"});
  has_member(Group{"harbour"}, Group{"night"});
  has_member(Group{"north"}, Guard{"nora"});
  has_member(Group{"harbour"}, Guard{"hugo"});
  has_member(Group{"night"}, Guard{"nick"});
  has_member(Group{"south"}, Guard{"sam"});
}

test "who is in a group is in all groups around it" {
  setup { fixture groups; }

  assert in_group(guard: Guard, Group{"north"})
    iff guard in [Guard{"nora"}, Guard{"hugo"}, Guard{"nick"}];
  assert in_group(guard: Guard, Group{"harbour"}) iff guard in [Guard{"hugo"}, Guard{"nick"}];
  assert in_group(guard: Guard, Group{"night"}) iff guard = Guard{"nick"};
  assert in_group(Guard{"nick"}, group: Group)
    iff group in [Group{"north"}, Group{"harbour"}, Group{"night"}];
}

test "a group's role is the role of everybody in it" {
  setup {
    fixture groups;
    has_role(Group{"harbour"}, "planner", Roster{"may"});
    has_role(Group{"north"}, "reader", Roster{"june"});
  }

  assert allow(guard: Guard, "plan", Roster{"may"}) iff guard in [Guard{"hugo"}, Guard{"nick"}];
  assert allow(guard: Guard, "read", Roster{"june"})
    iff guard in [Guard{"nora"}, Guard{"hugo"}, Guard{"nick"}];
  assert allow(Guard{"nick"}, "read", Roster{"may"});
  assert_not allow(Guard{"nora"}, "read", Roster{"may"});
  assert_not allow(Guard{"nick"}, "plan", Roster{"june"});
  assert_not allow(Guard{"sam"}, "read", Roster{"june"});
  # The group itself is an actor, too.
  assert allow(Group{"harbour"}, "plan", Roster{"may"});
  assert_not allow(Group{"night"}, "plan", Roster{"may"});
}

test "a role of one's own needs no group" {
  setup { fixture groups; has_role(Guard{"solo"}, "planner", Roster{"may"}); }

  assert allow(guard: Guard, "plan", Roster{"may"}) iff guard = Guard{"solo"};
  assert allow(Guard{"solo"}, "read", Roster{"may"});
}

test "a captain signs off, also one of a group further inside" {
  setup {
    fixture groups;
    has_role(Group{"harbour"}, "planner", Roster{"may"});
    is_captain(Guard{"nick"}, Group{"harbour"});
    is_captain(Guard{"nora"}, Group{"harbour"});
    is_captain(Guard{"hugo"}, Group{"night"});
  }

  assert allow(guard: Guard, "sign_off", Roster{"may"}) iff guard = Guard{"nick"};
  assert allow(Guard{"nick"}, "sign_off", Roster{"may"});
  # She was made captain of a group that she is not in.
  assert_not allow(Guard{"nora"}, "sign_off", Roster{"may"});
  # His own group plans nothing.
  assert_not allow(Guard{"hugo"}, "sign_off", Roster{"may"});
}

test "groups in a circle are harmless" {
  setup {
    has_member(Group{"red"}, Group{"blue"});
    has_member(Group{"blue"}, Group{"red"});
    has_member(Group{"red"}, Group{"red"});
    has_member(Group{"blue"}, Guard{"bea"});
    has_role(Group{"red"}, "reader", Roster{"may"});
  }

  assert in_group(guard: Guard, Group{"red"}) iff guard = Guard{"bea"};
  assert in_group(guard: Guard, Group{"blue"}) iff guard = Guard{"bea"};
  assert allow(Guard{"bea"}, "read", Roster{"may"});
  assert_not allow(Guard{"max"}, "read", Roster{"may"});
}
