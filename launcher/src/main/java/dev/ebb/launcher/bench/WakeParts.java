package dev.ebb.launcher.bench;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * What the wakes of a run spent their time on. The compute's parts come from the answer to a wake
 * request, the gateway's from its timer, read before and after each connection.
 */
final class WakeParts {
  private final Map<Part, Samples> samples = new LinkedHashMap<>();

  /**
   * One part.
   *
   * @param words for people
   * @param field of the API's answer, or empty
   * @param part of the gateway's timer, or empty
   */
  private record Part(String words, String field, String part) {
    String name() {
      return part.isEmpty() ? field : part;
    }
  }

  private static final String TIMER = "ebb_gateway_connect";

  private static final List<Part> PARTS =
      List.of(
          new Part("auth (client's login)", "", "auth"),
          new Part("wake, as the gateway sees it", "", "wake"),
          new Part("- head", "headMicros", ""),
          new Part("- manifest", "manifestMicros", ""),
          new Part("- log", "logMicros", ""),
          new Part("- skeleton", "skeletonMicros", ""),
          new Part("- postgres", "postgresMicros", ""),
          new Part("- compute's total", "totalMicros", ""),
          new Part("backend (login at the compute)", "", "backend"));

  WakeParts() {
    PARTS.forEach(part -> samples.put(part, new Samples()));
  }

  /** Takes one wake in; a part that nobody tells of has no sample. */
  void add(MetricsText before, MetricsText after, @Nullable Object wakeAnswer) {
    samples.forEach((part, taken) -> {
      OptionalLong micros =
          part.part().isEmpty()
              ? field(wakeAnswer, part.field())
              : after.onceMicros(before, TIMER, "part=\"" + part.part() + "\"", "started=\"true\"");
      micros.ifPresent(taken::addMicros);
    });
  }

  /** The first number of that name, at any depth. */
  private static OptionalLong field(@Nullable Object json, String name) {
    if (!(json instanceof Map<?, ?> object)) {
      return OptionalLong.empty();
    }
    if (object.get(name) instanceof Number number) {
      return OptionalLong.of(number.longValue());
    }
    return object.values().stream()
        .map(value -> field(value, name))
        .filter(OptionalLong::isPresent)
        .findFirst()
        .orElse(OptionalLong.empty());
  }

  Table table() {
    var table = new Table("part", "min", "p50", "p99");
    samples.forEach((part, taken) -> {
      Samples.Summary summary = taken.summary();
      table.row(
          part.words(),
          taken.isEmpty() ? "?" : WakeReport.ms(summary.minMs()),
          taken.isEmpty() ? "?" : WakeReport.ms(summary.p50Ms()),
          taken.isEmpty() ? "?" : WakeReport.ms(summary.p99Ms()));
    });
    return table;
  }

  Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    samples.forEach((part, taken) -> {
      if (!taken.isEmpty()) {
        json.put(part.name(), taken.summary().json());
      }
    });
    return json;
  }
}
