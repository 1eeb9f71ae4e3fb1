package dev.ebb.computeservice.blockmap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ShimSymbolsTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "io_uring_enter",
        "sendfile",
        "sendfile64",
        "splice",
        "remove",
        "nftw",
        "scandir64",
        "aio_read",
        "readdir_r",
        "syscall",
        "close_range"
      })
  void functionsThatTheShimDoesNotSeeAreUncovered(String symbol) {
    assertThat(ShimSymbols.isUncovered(symbol)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "open",
        "pread",
        "preadv",
        "pwritev64",
        "__read_chk",
        "__xstat",
        "__fxstat",
        "readdir64",
        "malloc",
        "pthread_create",
        "SSL_write",
        "BIO_set_data",
        "strlen",
        "readlink",
        "symlink"
      })
  void functionsThatTheShimSeesOrThatTouchNoFileAreFine(String symbol) {
    assertThat(ShimSymbols.isUncovered(symbol)).isFalse();
  }

  @Test
  void whatIsNotABinaryIsRefusedByName(@TempDir Path directory) throws IOException {
    Path script = Files.writeString(directory.resolve("postgres"), "#!/bin/sh\nexec true\n");
    assertThatThrownBy(() -> ShimSymbols.check(script))
        .hasMessageContaining("postgres is not a 64-bit little-endian ELF file");
  }
}
