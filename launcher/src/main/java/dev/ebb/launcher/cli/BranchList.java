package dev.ebb.launcher.cli;

import dev.ebb.launcher.cli.Table.Column;
import java.io.PrintWriter;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The branches of a database as a tree, children below their parents. */
final class BranchList {
  private final List<Map<?, ?>> branches;
  private final Clock clock;
  private final Set<String> names = new HashSet<>();

  BranchList(List<Map<?, ?>> branches, Clock clock) {
    this.branches = branches;
    this.clock = clock;
    branches.forEach(branch -> names.add(text(branch, "name")));
  }

  void print(PrintWriter out) {
    var table =
        new Table(
            Column.text("BRANCH"),
            Column.text("STATE"),
            Column.number("AGE"),
            Column.number("SIZE"),
            Column.number("OWN"),
            Column.text("FORKED AT"),
            Column.text("HOST"));
    List<Map<?, ?>> roots =
        branches.stream().filter(branch -> !names.contains(text(branch, "parent"))).toList();
    roots.forEach(root -> add(table, root, "", ""));
    table.print(out);
  }

  private void add(Table table, Map<?, ?> branch, String lead, String below) {
    String name = text(branch, "name");
    table.row(
        lead + name + (Boolean.TRUE.equals(branch.get("protected")) ? " (protected)" : ""),
        text(branch, "state"),
        age(text(branch, "created")),
        bytes(branch.get("logicalBytes")),
        bytes(branch.get("ownBytes")),
        text(branch, "forkLsn"),
        text(branch, "host"));
    List<Map<?, ?>> children =
        branches.stream().filter(child -> name.equals(text(child, "parent"))).toList();
    for (int i = 0; i < children.size(); i++) {
      boolean last = i == children.size() - 1;
      add(table, children.get(i), below + (last ? "└─ " : "├─ "), below + (last ? "   " : "│  "));
    }
  }

  private String age(String created) {
    try {
      long ms = Duration.between(Instant.parse(created), clock.instant()).toMillis();
      return PsCommand.duration(Math.max(0, ms));
    } catch (DateTimeParseException e) {
      return "-";
    }
  }

  private static String bytes(@org.jspecify.annotations.Nullable Object value) {
    return value instanceof Number number ? PsCommand.bytes(number.longValue()) : "-";
  }

  private static String text(Map<?, ?> object, String key) {
    Object value = object.get(key);
    return value == null || value.toString().isEmpty() ? "-" : value.toString();
  }
}
