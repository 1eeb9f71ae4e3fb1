package dev.ebb.gateway.console;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

final class ConsoleTextTest {
  private static List<List<String>> words(String text) {
    return ConsoleText.statements(text).stream()
        .map(statement -> statement.stream().map(ConsoleText.Word::name).toList())
        .toList();
  }

  @Test
  void statementsEndAtSemicolonsOutsideOfQuotes() {
    assertThat(words(" SHOW Pools ;; pause \"A;b\" ; kill 'x''y';"))
        .containsExactly(List.of("show", "pools"), List.of("pause", "A;b"), List.of("kill", "x'y"));
    assertThat(words("  ;; ")).isEmpty();
  }

  @Test
  void commentsAreLeftOutAndNamesOfBranchesAreOneWord() {
    assertThat(words("/* a /* b */ ; */ PAUSE shop@dev-2 -- the rest;\n"))
        .containsExactly(List.of("pause", "shop@dev-2"));
    assertThat(words("SET a = 1")).containsExactly(List.of("set", "a", "=", "1"));
  }

  @Test
  void whatDoesNotEndIsAnError() {
    for (String text : List.of("SHOW 'a", "SHOW \"a", "/* a", "'a''")) {
      assertThatThrownBy(() -> ConsoleText.statements(text))
          .isInstanceOf(ConsoleException.class)
          .hasMessageContaining("unterminated");
    }
  }
}
