package dev.ebb.gateway.compat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;

final class KnownDifferencesTest {
  private static final KnownDifferences LIST =
      KnownDifferences.parse(
          """
          # why not
          A#one | pool, session | a reason
          A#t*wo | ?direct, ?pool | another
          """);

  private static Map<String, ClientSuite.Result> result(String test, String outcome) {
    return Map.of(test, new ClientSuite.Result(outcome, 1, "why"));
  }

  @Test
  void whatIsListedAndFailsIsFine() {
    assertThat(LIST.judge(Map.of("pool", result("A#one", "failed")), false)).isEmpty();
    assertThat(LIST.judge(Map.of("pool", result("A#t_wo", "failed")), false)).isEmpty();
    assertThat(LIST.judge(Map.of("pool", result("A#t_wo", "passed")), false)).isEmpty();
  }

  @Test
  void whatFailsAndIsNotListedIsTold() {
    assertThat(LIST.judge(Map.of("direct", result("A#one", "failed")), false)).hasSize(1);
    assertThat(LIST.judge(Map.of("pool", result("A#three", "failed")), false))
        .containsExactly("pool | A#three: why");
  }

  @Test
  void whatIsListedAndPassesIsTold() {
    assertThat(LIST.judge(Map.of("session", result("A#one", "passed")), false))
        .containsExactly("session | A#one: is listed and passed");
  }

  @Test
  void whatIsSkippedInOneModeOnlyIsTold() {
    assertThat(
            LIST.judge(
                Map.of("direct", result("B#x", "passed"), "pool", result("B#x", "skipped")), false))
        .containsExactly("pool | B#x: skipped, directly passed");
  }

  @Test
  void entryForNoTestIsTold() {
    assertThat(LIST.judge(Map.of("session", result("B#x", "passed")), true))
        .containsExactly("session | A#one: there is no such test");
  }

  @Test
  void lineWithoutReasonIsRefused() {
    assertThatThrownBy(() -> KnownDifferences.parse("A#one | pool | "))
        .hasMessageContaining("needs a reason");
  }

  @Test
  void starForWhatAlwaysFailsIsRefused() {
    assertThatThrownBy(() -> KnownDifferences.parse("A#* | pool | no"))
        .hasMessageContaining("is to be named");
  }
}
