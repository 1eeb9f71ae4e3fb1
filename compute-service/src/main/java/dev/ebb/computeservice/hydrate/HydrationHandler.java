package dev.ebb.computeservice.hydrate;

import dev.ebb.computeservice.blockmap.DamagedBlocks;
import java.io.IOException;

/** What the agent does for the shim. Called on virtual threads, many at once; may block. */
public interface HydrationHandler {

  /**
   * Brings the absent ones of these blocks into the local file. Returning says that it has tried:
   * the shim looks again, and asks again for what is still absent.
   *
   * @param entry the file's place in the block map
   * @param incarnation the file's, as the asking process knows it
   * @param process the id of the asking process
   * @throws DamagedBlocks if the content of a block is not what was stored; all others are there
   * @throws IOException if a block cannot be had: the read in {@code postgres} fails with EIO
   */
  void hydrate(int entry, int incarnation, int firstBlock, int count, int process)
      throws IOException;

  /** These blocks are going to be read soon. Returns at once; nothing follows where it fails. */
  void hint(int entry, int incarnation, int firstBlock, int count);

  /**
   * A process has given up waiting for the durability of its commit. Returns once everything that
   * is flushed locally at the time of the call is durable.
   *
   * @param timeoutMs how long the process waits for the answer
   * @throws IOException if that is not so, or cannot be known: the process then ends the server
   * @throws InterruptedException if the agent is closing
   */
  void waitDurable(long timeoutMs) throws IOException, InterruptedException;
}
