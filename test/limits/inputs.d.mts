/** Files of one host by path below its folder. */
export type HostFiles = Readonly<Record<string, string>>;

export const INPUTS: Readonly<
  Record<
    string,
    {
      /** What is there many times. */
      readonly counts: string;
      /** How many at full size. */
      readonly full: number;
      readonly files: (count: number) => HostFiles;
    }
  >
>;

export function fleet(count: number): { readonly files: HostFiles; readonly config: string };

export const NEIGHBOUR: { readonly name: string; readonly files: HostFiles };
