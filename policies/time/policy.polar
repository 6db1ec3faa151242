# Access to buildings: passes are valid from one time to another, and an alarm closes doors for a while.
# Times are seconds since 1970. `@current_unix_time` is the time of the question.

actor Person {}

resource Building {
  roles = ["resident", "visitor"];
  permissions = ["enter", "use_lift", "invite"];

  "visitor" if "resident";

  "enter" if "visitor";
  "use_lift" if "visitor";
  "invite" if "resident";
}

# A pass is a role that ends by itself: nobody has to take it away again.
has_role(person: Person, role: String, building: Building) if
  from matches Integer and
  until matches Integer and
  has_pass(person, role, building, from, until) and
  is_now(from, until);

# At the very second of the start the time has come, at the very second of the end it is over.
is_now(from: Integer, until: Integer) if
  from <= @current_unix_time and
  @current_unix_time < until;

# The end may be a fact of its own. Then it is the same for everybody who has the key.
has_permission(person: Person, "enter", building: Building) if
  holds_key(person, building) and
  keys_expire_at(building, end) and
  end > @current_unix_time;

# Nobody enters a building whose alarm is on, unless it was switched on for a time that is over.
allow(person: Person, action: String, building: Building) if
  has_permission(person, action, building) and
  not is_closed(building);

is_closed(building: Building) if
  is_alarmed_until(building, end) and
  end > @current_unix_time;
