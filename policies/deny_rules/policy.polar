# An evidence room: permissions say who may, and further rules say who may not all the same.

actor Officer {}

resource Case {
  roles = ["lead", "investigator"];
  permissions = ["read", "close"];

  "investigator" if "lead";

  "read" if "investigator";
  "close" if "lead";
}

resource Exhibit {
  permissions = ["view", "check_out", "destroy"];
  relations = { case: Case };

  "view" if "investigator" on "case";
  "destroy" if "lead" on "case";
}

# "For all": an exhibit is checked out by who has done every training that it requires. That is the
# same as: there is no training that it requires and that was not done. So it takes two `not`.
# `training` is a variable of the inner condition only. An exhibit that requires no training
# can be checked out by every investigator.
has_permission(officer: Officer, "check_out", exhibit: Exhibit) if
  has_permission(officer, "view", exhibit) and
  not (
    training matches String and
    requires_training(exhibit, training) and
    not has_done(officer, training)
  );

# The only way to be allowed something: to have the permission, and to hit no denial.
# A denial always wins, however many rules grant the permission.
allow(officer: Officer, action: String, resource: Resource) if
  has_permission(officer, action, resource) and
  not is_denied(officer, action, resource);

# Each denial has a rule of its own, so another one is added without touching the others.

# Whoever is off duty does nothing. `_` stands for any action and any resource.
is_denied(officer: Officer, _: String, _: Resource) if
  is_off_duty(officer);

# Who is personally involved in a case does nothing with it ...
is_denied(officer: Officer, _: String, case: Case) if
  is_involved(officer, case);

# ... and nothing with its exhibits.
is_denied(officer: Officer, _: String, exhibit: Exhibit) if
  case matches Case and
  has_relation(exhibit, "case", case) and
  is_involved(officer, case);

# Under legal hold an exhibit is looked at and nothing more. A `not` inside of a denial is
# an exception to it: the court may have released a single exhibit.
is_denied(_: Officer, action: String, exhibit: Exhibit) if
  case matches Case and
  has_relation(exhibit, "case", case) and
  is_on_hold(case) and
  action in ["check_out", "destroy"] and
  not is_released(exhibit);
