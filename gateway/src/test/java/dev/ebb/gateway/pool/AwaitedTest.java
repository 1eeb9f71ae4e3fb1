package dev.ebb.gateway.pool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.gateway.pool.Awaited.Kind;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class AwaitedTest {
  /** PostgreSQL's chapter "Message Flow". */
  private static final Map<Kind, String> ANSWERS =
      Map.of(
          Kind.PARSE, "1",
          Kind.BIND, "2",
          Kind.CLOSE, "3",
          Kind.DESCRIBE, "Tnt",
          Kind.EXECUTE, "CDGHIcds",
          Kind.QUERY, "CDGHITcd",
          Kind.FUNCTION, "V",
          Kind.SYNC, "");

  @Test
  void answerHasNothingInItButWhatWasAskedFor() {
    ANSWERS.forEach((kind, types) -> {
      var allowed = new StringBuilder();
      for (int type = 0; type < 256; type++) {
        if (kind.allows((byte) type)) {
          allowed.append((char) type);
        }
      }
      assertThat(allowed.toString()).as(kind.toString()).isEqualTo(types);
    });
  }

  @Test
  void whatIsNotAskedHasNoAnswer() {
    for (Kind kind : Kind.values()) {
      if (kind.isOwn()) {
        for (int type = 0; type < 256; type++) {
          assertThat(kind.allows((byte) type)).isFalse();
        }
      }
    }
  }
}
