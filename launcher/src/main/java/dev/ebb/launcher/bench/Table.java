package dev.ebb.launcher.bench;

import java.util.ArrayList;
import java.util.List;

/** Text in columns: the first to the left, all others to the right. Valid Markdown as well. */
final class Table {
  private final List<List<String>> rows = new ArrayList<>();

  Table(String... heads) {
    rows.add(List.of(heads));
  }

  Table row(String... cells) {
    if (cells.length != rows.getFirst().size()) {
      throw new IllegalArgumentException("a row of " + cells.length + " cells");
    }
    rows.add(List.of(cells));
    return this;
  }

  @Override
  public String toString() {
    var text = new StringBuilder();
    for (int i = 0; i < rows.size(); i++) {
      append(text, rows.get(i));
      if (i == 0) {
        for (int column = 0; column < rows.getFirst().size(); column++) {
          int dashes = width(column) - (column == 0 ? 0 : 1);
          text.append("| ").append("-".repeat(dashes)).append(column == 0 ? " " : ": ");
        }
        text.append("|\n");
      }
    }
    return text.toString();
  }

  private void append(StringBuilder text, List<String> row) {
    for (int column = 0; column < row.size(); column++) {
      String cell = row.get(column);
      String spaces = " ".repeat(width(column) - cell.length());
      text.append("| ");
      text.append(column == 0 ? cell + spaces : spaces + cell);
      text.append(' ');
    }
    text.append("|\n");
  }

  private int width(int column) {
    return rows.stream().mapToInt(row -> row.get(column).length()).max().orElse(0);
  }
}
