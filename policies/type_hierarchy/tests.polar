test fixture crew {
  has_role(Person{"tess"}, "technician", Device{"heater"});
  has_role(Person{"tess"}, "technician", Camera{"gate"});
  has_role(Person{"tess"}, "technician", DomeCamera{"yard"});
  has_role(Person{"tess"}, "technician", DoorLock{"front"});
  has_role(Person{"otto"}, "observer", DomeCamera{"yard"});
}

test "every kind of device has the actions of a device and its own" {
  setup { fixture crew; }

  assert allow(Person{"tess"}, action: String, Device{"heater"}) iff action in ["inspect", "restart"];
  assert allow(Person{"tess"}, action: String, Camera{"gate"})
    iff action in ["inspect", "restart", "watch", "record", "decommission"];
  assert allow(Person{"tess"}, action: String, DomeCamera{"yard"})
    iff action in ["inspect", "restart", "watch", "record", "steer"];
  assert allow(Person{"tess"}, action: String, DoorLock{"front"})
    iff action in ["inspect", "restart", "unlock"];

  assert allow(Person{"tess"}, "restart", DomeCamera{"yard"});
  assert allow(Person{"tess"}, "steer", DomeCamera{"yard"});
}

test "an inherited role works at every level" {
  setup { fixture crew; }

  assert allow(Person{"otto"}, action: String, DomeCamera{"yard"}) iff action in ["inspect", "watch"];
  assert_not allow(Person{"otto"}, "record", DomeCamera{"yard"});
  assert_not allow(Person{"otto"}, "watch", Camera{"gate"});
}

test "the same id of another type is another device" {
  setup { has_role(Person{"tess"}, "technician", Device{"d1"}); }

  assert allow(Person{"tess"}, "restart", Device{"d1"});
  assert_not allow(Person{"tess"}, "restart", Camera{"d1"});
}

test "a robot on patrol watches every camera that is on" {
  setup {
    is_on_patrol(Robot{"r2"});
    is_switched_on(Camera{"gate"});
    is_switched_on(DomeCamera{"yard"});
  }

  assert allow(Robot{"r2"}, "watch", Camera{"gate"});
  assert allow(Robot{"r2"}, "watch", DomeCamera{"yard"});
  assert_not allow(Robot{"r2"}, "watch", Camera{"cellar"});
  assert_not allow(Robot{"r2"}, "steer", DomeCamera{"yard"});
  assert_not allow(Robot{"r3"}, "watch", Camera{"gate"});
  # A person is an account, but no robot.
  assert_not allow(Person{"r2"}, "watch", Camera{"gate"});
}

test "only plain cameras are thrown away" {
  setup { fixture crew; has_role(Robot{"r2"}, "technician", Camera{"gate"}); }

  assert allow(Person{"tess"}, "decommission", Camera{"gate"});
  assert_not allow(Person{"tess"}, "decommission", DomeCamera{"yard"});
  assert_not allow(Person{"tess"}, "decommission", Device{"heater"});
  assert_not allow(Person{"tess"}, "decommission", DoorLock{"front"});
  # The rule is about persons.
  assert_not allow(Robot{"r2"}, "decommission", Camera{"gate"});
}

test "everybody inspects what stands in the lobby" {
  setup { stands_in_lobby(DomeCamera{"welcome"}); stands_in_lobby(Device{"clock"}); }

  assert allow(_: Account, "inspect", DomeCamera{"welcome"});
  assert allow(Person{"guest"}, "inspect", DomeCamera{"welcome"});
  assert allow(Robot{"r2"}, "inspect", Device{"clock"});
  assert_not allow(Person{"guest"}, "watch", DomeCamera{"welcome"});
  assert_not allow(Person{"guest"}, "inspect", Camera{"gate"});
}
