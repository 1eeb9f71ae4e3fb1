package dev.ebb.gateway.console;

import io.vertx.core.Future;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** What a statement of the console's will be answered with, once it is executed. */
sealed interface Answer {
  /** There is no statement. */
  record Nothing() implements Answer {}

  /**
   * Rows.
   *
   * @param rows in columns' order
   */
  record Table(List<Column> columns, Supplier<Future<List<Row>>> rows) implements Answer {}

  /**
   * Something is done.
   *
   * @param tag of CommandComplete
   * @param run completes with notices for the client; is told whether the client is gone by now
   */
  record Act(String tag, Function<BooleanSupplier, Future<List<String>>> run) implements Answer {}

  /** Texts, numbers and truth values. */
  record Row(List<@Nullable Object> values) {}

  /** A column. */
  record Column(String name, ColumnType type) {}
}
