# A guard service: rosters are shared with groups, and groups contain groups.

actor Guard {}

# A group is an actor: it holds roles as a guard does.
actor Group {}

resource Roster {
  roles = ["planner", "reader"];
  permissions = ["read", "plan", "sign_off"];

  "reader" if "planner";

  "read" if "reader";
  "plan" if "planner";
}

# Who is in a group: the guards that it lists ...
in_group(guard: Guard, group: Group) if
  has_member(group, guard);

# ... and those of every group inside of it, however deep. Groups that contain each other
# do no harm: nobody becomes a member who is in none of them.
in_group(guard: Guard, group: Group) if
  inner matches Group and
  has_member(group, inner) and
  in_group(guard, inner);

# What a group holds, the guards in it hold.
has_role(guard: Guard, role: String, roster: Roster) if
  group matches Group and
  in_group(guard, group) and
  has_role(group, role, roster);

# Signing off is for the captains of a group that plans, and not for the group's other members.
has_permission(guard: Guard, "sign_off", roster: Roster) if
  group matches Group and
  is_captain(guard, group) and
  in_group(guard, group) and
  has_role(group, "planner", roster);
