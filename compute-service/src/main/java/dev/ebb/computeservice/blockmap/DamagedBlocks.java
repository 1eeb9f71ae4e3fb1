package dev.ebb.computeservice.blockmap;

import java.io.IOException;
import java.util.BitSet;

/** Some blocks are not what was stored, all others of the same read are here. */
public final class DamagedBlocks extends IOException {
  private static final long serialVersionUID = 1L;

  private final int firstBlock;
  private final transient byte[] pages;
  private final BitSet damaged;

  /**
   * @param firstBlock the first block of the read
   * @param pages all of them; those of damaged blocks hold anything
   * @param damaged which ones, counted from {@code firstBlock}; at least one
   */
  public DamagedBlocks(String message, int firstBlock, byte[] pages, BitSet damaged) {
    super(message);
    this.firstBlock = firstBlock;
    this.pages = pages;
    this.damaged = damaged;
  }

  byte[] pages() {
    return pages;
  }

  boolean isDamaged(int block) {
    return damaged.get(block - firstBlock);
  }

  /** The first damaged block in the file. */
  public int firstDamaged() {
    return firstBlock + damaged.nextSetBit(0);
  }
}
