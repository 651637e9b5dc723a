/** The condition codes of Jcc, SETcc and CMOVcc in the order of their encoding (SDM vol. 1, appendix B). */
export const conditions = ['O', 'NO', 'B', 'NB', 'Z', 'NZ', 'BE', 'NBE', 'S', 'NS', 'P', 'NP', 'L', 'NL', 'LE', 'NLE'];
