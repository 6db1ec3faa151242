# Tests run at the present time. 1000000000 is in the year 2001, 4000000000 in the year 2096.
# A fact holds literals only, so the very second of now is asked of the rule about it.

test "a role without an end" {
  setup { has_role(Person{"rita"}, "resident", Building{"tower"}); }

  assert allow(Person{"rita"}, action: String, Building{"tower"})
    iff action in ["enter", "use_lift", "invite"];
  assert_not allow(Person{"rita"}, "enter", Building{"annex"});
}

test "a pass is valid from its start to its end" {
  setup {
    has_pass(Person{"now"}, "visitor", Building{"tower"}, 1000000000, 4000000000);
    has_pass(Person{"over"}, "visitor", Building{"tower"}, 1000000000, 1000086400);
    has_pass(Person{"later"}, "visitor", Building{"tower"}, 4000000000, 4000086400);
    has_pass(Person{"reversed"}, "visitor", Building{"tower"}, 4000000000, 1000000000);
  }

  assert allow(person: Person, "enter", Building{"tower"}) iff person = Person{"now"};
  assert allow(Person{"now"}, action: String, Building{"tower"}) iff action in ["enter", "use_lift"];
  assert allow(Person{"now"}, "use_lift", Building{"tower"});
  assert_not allow(Person{"over"}, "enter", Building{"tower"});
  assert_not allow(Person{"later"}, "enter", Building{"tower"});
  assert_not allow(Person{"reversed"}, "enter", Building{"tower"});
  assert_not allow(Person{"now"}, "enter", Building{"annex"});
}

test "a pass for residents gives what residents have" {
  setup { has_pass(Person{"sub"}, "resident", Building{"tower"}, 0, 4000000000); }

  assert allow(Person{"sub"}, "invite", Building{"tower"});
  assert allow(Person{"sub"}, "enter", Building{"tower"});
}

test "one valid pass is enough" {
  setup {
    has_pass(Person{"vic"}, "visitor", Building{"tower"}, 1000000000, 1000086400);
    has_pass(Person{"vic"}, "visitor", Building{"tower"}, 1500000000, 4000000000);
  }

  assert allow(Person{"vic"}, "enter", Building{"tower"});
}

test "keys end with the date of the building" {
  setup {
    holds_key(Person{"kim"}, Building{"tower"});
    keys_expire_at(Building{"tower"}, 4000000000);
    holds_key(Person{"kim"}, Building{"annex"});
    keys_expire_at(Building{"annex"}, 1000000000);
    holds_key(Person{"kim"}, Building{"shed"});
  }

  assert allow(Person{"kim"}, "enter", building: Building) iff building = Building{"tower"};
  assert allow(Person{"kim"}, action: String, Building{"tower"}) iff action = "enter";
  assert_not allow(Person{"kim"}, "enter", Building{"annex"});
  # Nobody has said until when.
  assert_not allow(Person{"kim"}, "enter", Building{"shed"});
}

test "an alarm closes the building until it ends" {
  setup {
    has_role(Person{"rita"}, "resident", Building{"tower"});
    has_role(Person{"rita"}, "resident", Building{"annex"});
    has_role(Person{"rita"}, "resident", Building{"shed"});
    is_alarmed_until(Building{"tower"}, 4000000000);
    is_alarmed_until(Building{"annex"}, 1000000000);
    is_alarmed_until(Building{"shed"}, 1000000000);
    is_alarmed_until(Building{"shed"}, 4000000000);
  }

  assert allow(Person{"rita"}, "enter", building: Building) iff building = Building{"annex"};
  assert allow(Person{"rita"}, "enter", Building{"annex"});
  assert_not allow(Person{"rita"}, "enter", Building{"tower"});
  assert_not allow(Person{"rita"}, "enter", Building{"shed"});
  # The role is there; it only does not help.
  assert has_permission(Person{"rita"}, "enter", Building{"tower"});
}

test "the first second counts, the last one does not" {
  assert is_now(@current_unix_time, until: Integer) iff until > @current_unix_time;
  assert is_now(from: Integer, 4000000000) iff from <= @current_unix_time;
  assert_not is_now(0, @current_unix_time);
}
