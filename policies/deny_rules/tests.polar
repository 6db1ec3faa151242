# The case "harbour" has the exhibits "knife" and "phone", the case "bank" has "mask".
test fixture room {
  has_relation(Exhibit{"knife"}, "case", Case{"harbour"});
  has_relation(Exhibit{"phone"}, "case", Case{"harbour"});
  has_relation(Exhibit{"mask"}, "case", Case{"bank"});
  has_role(Officer{"lena"}, "lead", Case{"harbour"});
  has_role(Officer{"igor"}, "investigator", Case{"harbour"});
}

test "what roles permit as long as nothing denies it" {
  setup { fixture room; }

  assert allow(Officer{"lena"}, action: String, Case{"harbour"}) iff action in ["read", "close"];
  assert allow(Officer{"igor"}, action: String, Case{"harbour"}) iff action = "read";
  assert allow(Officer{"lena"}, action: String, Exhibit{"knife"})
    iff action in ["view", "check_out", "destroy"];
  assert allow(Officer{"igor"}, action: String, Exhibit{"knife"}) iff action in ["view", "check_out"];
  assert allow(Officer{"igor"}, "check_out", Exhibit{"knife"});
  assert_not allow(Officer{"igor"}, "destroy", Exhibit{"knife"});
  assert_not allow(Officer{"lena"}, "view", Exhibit{"mask"});
  assert_not allow(Officer{"lena"}, "read", Case{"bank"});
}

test "all trainings are needed, not only some" {
  setup {
    fixture room;
    requires_training(Exhibit{"knife"}, "sharp objects");
    requires_training(Exhibit{"knife"}, "forensics");
    has_done(Officer{"lena"}, "sharp objects");
    has_done(Officer{"lena"}, "forensics");
    has_done(Officer{"igor"}, "forensics");
    has_done(Officer{"otto"}, "sharp objects");
    has_done(Officer{"otto"}, "forensics");
  }

  assert allow(officer: Officer, "check_out", Exhibit{"knife"}) iff officer = Officer{"lena"};
  assert allow(Officer{"lena"}, "check_out", Exhibit{"knife"});
  assert_not allow(Officer{"igor"}, "check_out", Exhibit{"knife"});
  # The trainings alone do not help.
  assert_not allow(Officer{"otto"}, "check_out", Exhibit{"knife"});
  # Another exhibit requires none.
  assert allow(Officer{"igor"}, "check_out", Exhibit{"phone"});
  # Looking at it takes no training.
  assert allow(Officer{"igor"}, "view", Exhibit{"knife"});
}

test "off duty, everything is denied" {
  setup { fixture room; is_off_duty(Officer{"lena"}); }

  assert_not allow(Officer{"lena"}, "read", Case{"harbour"});
  assert_not allow(Officer{"lena"}, "view", Exhibit{"knife"});
  assert_not allow(Officer{"lena"}, "destroy", Exhibit{"knife"});
  # The permission is there; it only does not help.
  assert has_permission(Officer{"lena"}, "close", Case{"harbour"});
  assert allow(Officer{"igor"}, "read", Case{"harbour"});
}

test "who is involved keeps out of this case, and of no other" {
  setup {
    fixture room;
    is_involved(Officer{"igor"}, Case{"harbour"});
    has_role(Officer{"igor"}, "investigator", Case{"bank"});
  }

  assert_not allow(Officer{"igor"}, "read", Case{"harbour"});
  assert_not allow(Officer{"igor"}, "view", Exhibit{"knife"});
  assert allow(Officer{"igor"}, "read", Case{"bank"});
  assert allow(Officer{"igor"}, "view", Exhibit{"mask"});
  assert allow(Officer{"lena"}, "view", Exhibit{"knife"});
}

test "legal hold leaves looking, except for what was released" {
  setup {
    fixture room;
    is_on_hold(Case{"harbour"});
    is_released(Exhibit{"phone"});
    has_role(Officer{"igor"}, "investigator", Case{"bank"});
  }

  assert allow(Officer{"lena"}, action: String, Exhibit{"knife"}) iff action = "view";
  assert allow(Officer{"lena"}, action: String, Exhibit{"phone"})
    iff action in ["view", "check_out", "destroy"];
  assert_not allow(Officer{"igor"}, "check_out", Exhibit{"knife"});
  assert allow(Officer{"igor"}, "check_out", Exhibit{"mask"});
  # The hold is about exhibits; the case itself goes on.
  assert allow(Officer{"lena"}, "close", Case{"harbour"});
}

test "one denial is enough, also beside an exception" {
  setup {
    fixture room;
    is_on_hold(Case{"harbour"});
    is_released(Exhibit{"phone"});
    is_off_duty(Officer{"igor"});
  }

  assert_not allow(Officer{"igor"}, "check_out", Exhibit{"phone"});
  assert is_denied(Officer{"igor"}, _: String, _: Case);
  assert_not is_denied(Officer{"lena"}, "check_out", Exhibit{"phone"});
}
