package dev.ebb.shared.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

final class StartupOptionsTest {
  @Test
  void settingsAreFoundHoweverTheyAreSpelled() {
    assertThat(StartupOptions.parse("-c ebb.route=replica"))
        .isEqualTo(Map.of("ebb.route", "replica"));
    assertThat(StartupOptions.parse("-cebb.route=replica"))
        .isEqualTo(Map.of("ebb.route", "replica"));
    assertThat(StartupOptions.parse("--ebb.route=replica"))
        .isEqualTo(Map.of("ebb.route", "replica"));
    assertThat(StartupOptions.parse("\t-c  work_mem=4MB -c EBB.Route=replica\n"))
        .isEqualTo(Map.of("work_mem", "4MB", "ebb.route", "replica"));
    assertThat(StartupOptions.parse("--work-mem=4MB")).isEqualTo(Map.of("work_mem", "4MB"));
  }

  @Test
  void lastOneCounts() {
    assertThat(StartupOptions.parse("-c a=1 -c a=2")).isEqualTo(Map.of("a", "2"));
  }

  @Test
  void backslashTakesAwayTheMeaningOfASpace() {
    assertThat(StartupOptions.parse("-c search_path=a,\\ b\\\\ -c x=y"))
        .isEqualTo(Map.of("search_path", "a, b\\", "x", "y"));
  }

  @Test
  void whatIsNoSettingIsLeftOut() {
    assertThat(StartupOptions.parse("")).isEmpty();
    assertThat(StartupOptions.parse("-c")).isEmpty();
    assertThat(StartupOptions.parse("-c ebb.route -x -- =5 replica \\")).isEmpty();
  }
}
