package dev.ebb.launcher.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Rows of texts in aligned columns, two spaces apart. */
final class Table {
  private final List<Column> columns;
  private final List<List<String>> rows = new ArrayList<>();

  /** A column; numbers are aligned to the right. */
  record Column(String title, boolean right) {
    static Column text(String title) {
      return new Column(title, false);
    }

    static Column number(String title) {
      return new Column(title, true);
    }
  }

  Table(Column... columns) {
    this.columns = List.of(columns);
  }

  void row(String... cells) {
    rows.add(List.of(cells));
  }

  void print(PrintWriter out) {
    printRow(out, columns.stream().map(Column::title).toList());
    rows.forEach(row -> printRow(out, row));
  }

  private void printRow(PrintWriter out, List<String> cells) {
    var line = new StringBuilder();
    for (int i = 0; i < columns.size(); i++) {
      String cell = cells.get(i);
      String padding = " ".repeat(width(i) - cell.length());
      line.append(i == 0 ? "" : "  ");
      line.append(columns.get(i).right() ? padding + cell : cell + padding);
    }
    out.println(line.toString().stripTrailing());
  }

  private int width(int column) {
    int width = columns.get(column).title().length();
    for (List<String> row : rows) {
      width = Math.max(width, row.get(column).length());
    }
    return width;
  }
}
